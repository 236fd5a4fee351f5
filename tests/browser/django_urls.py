"""The site of Django in the browser: its views and addresses."""

from browser.sites import ACCOUNT, DELETED, HOME, LOGIN, USER
from django.contrib import auth
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt

from smsmfa.web.django import fresh_second_step, second_step_exempt


@second_step_exempt
def home(request):
    return HttpResponse(HOME)


@csrf_exempt
def login(request):
    if request.method == "GET":
        return HttpResponse(LOGIN)
    auth.login(request, auth.get_user_model().objects.get(pk=USER))
    return HttpResponseRedirect("/account")


@login_required
def account(request):
    return HttpResponse(ACCOUNT.format(request.user.pk))


@csrf_exempt
@fresh_second_step(back="/account")
def delete(request):
    return HttpResponse(DELETED)


@csrf_exempt
def logout(request):
    auth.logout(request)
    return HttpResponseRedirect("/login")


urlpatterns = [
    path("", home),
    path("login", login, name="login"),
    path("account", account),
    path("delete", delete),
    path("logout", logout, name="logout"),
    path("mfa/", include("smsmfa.web.django.urls")),
]
