"""The addresses of the JSON face: ``path("api/mfa/", include("smsmfa.web.django.api_urls"))``."""

from django.urls import URLPattern, path

from .api import call

app_name = "smsmfa_api"
urlpatterns: list[URLPattern] = [path("<path:path>", call, name="call")]
