"""The pages. None of them says that there is a second step, except for the one that wants a fresh code."""

from datetime import timedelta

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from smsmfa.web.django import fresh_second_step


def home(request):
    """Greet whoever is in; ask others to log in."""
    return render(request, "home.html") if request.user.is_authenticated else redirect("login")


async def profile(request):
    """Show an asynchronous page."""
    user = await request.auser()
    return HttpResponse(f"{user.email} is user {user.pk}.")


@require_POST
@fresh_second_step(timedelta(minutes=5), back="/")
def delete(request):
    """Delete the files of a user whose last code is less than five minutes old."""
    return HttpResponse('Everything is gone. <a href="/">Back</a>')
