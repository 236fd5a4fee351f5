"""The addresses of the pages: ``path("mfa/", include("smsmfa.web.django.urls"))``."""

from django.urls import URLPattern, path

from .views import page

app_name = "smsmfa"
urlpatterns: list[URLPattern] = [
    path("account", page, {"page": "account"}, name="account"),
    path("<path:page>", page, name="page"),
]
