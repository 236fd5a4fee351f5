"""The settings. What the second step adds is at the end."""

import os

SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY", "only for this example, for it is in its file")
DEBUG = os.environ.get("DJANGO_DEBUG", "1") == "1"
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "acme.urls"
AUTH_USER_MODEL = "acme.User"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"
STATIC_URL = "static/"
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ.get("DATABASE", "django_login.sqlite3")}
}
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "acme",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# The second step

INSTALLED_APPS += ["smsmfa.stores.django", "smsmfa.web.django"]
MIDDLEWARE += ["smsmfa.web.django.SecondStepMiddleware"]
SMSMFA = {
    "app_name": "Acme",
    "secret": os.environ.get("SMSMFA_SECRET", "only for this example, for it is in its file"),
    "regions": ["US", "CA", "GB"],
    "sender": "smsmfa.ConsoleSender",
}
