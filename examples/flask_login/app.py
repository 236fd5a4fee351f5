"""A Flask login with an SMS second factor.

Run ``python examples/flask_login/app.py``, open http://127.0.0.1:5000/ and log in as ``alice`` with the password
``correct horse``. The messages that a real carrier would send are printed. Numbers are kept in ``flask_login.sqlite3``.
"""

import os
from datetime import timedelta

from flask import Flask, redirect, render_template_string, request, session
from werkzeug.security import check_password_hash, generate_password_hash

from smsmfa import ConsoleSender, FactorConfig
from smsmfa.stores import SqliteStore
from smsmfa.typing import Sender, Store
from smsmfa.web.flask import SecondStep

USERS = {"alice": generate_password_hash("correct horse")}  # your own user table
LOGIN = """<!doctype html><html lang="en"><head><title>Log in</title></head><body><h1>Log in</h1>
{% if wrong %}<p role="alert">Wrong name or password.</p>{% endif %}
<form method="post" action="/login">
<p><label>Name <input name="name" autocomplete="username"></label></p>
<p><label>Password <input name="password" type="password" autocomplete="current-password"></label></p>
<p><button>Log in</button></p></form></body></html>"""
HOME = """<!doctype html><html lang="en"><head><title>Acme</title></head><body><h1>Hello {{ user }}</h1>
<p><a href="/mfa/account">Phone numbers and recovery codes</a></p>
<form method="post" action="/delete"><button>Delete my files</button></form>
<form method="post" action="/logout"><button>Log out</button></form></body></html>"""


def make_app(config: FactorConfig, store: Store, sender: Sender, key: str) -> Flask:
    """Return the application.

    Args:
        config: the operator's settings.
        store: where the factor keeps its records.
        sender: sends the messages.
        key: signs the cookies.
    """
    app = Flask(__name__)
    app.secret_key = key
    app.config.update(SESSION_COOKIE_SAMESITE="Lax")  # with HTTPS also: SESSION_COOKIE_SECURE=True
    step = SecondStep(config, store, sender)
    step.init_app(app)

    @app.route("/login", methods=["GET", "POST"])
    def login():
        name, password = request.form.get("name", ""), request.form.get("password", "")
        if name in USERS and check_password_hash(USERS[name], password):
            return step.begin(name)
        wrong = request.method == "POST"
        return render_template_string(LOGIN, wrong=wrong), 401 if wrong else 200

    @app.get("/")
    @step.required
    def home():
        return render_template_string(HOME, user=step.user_id)

    @app.post("/delete")
    @step.fresh(timedelta(minutes=5), back="/")
    def delete():
        return 'Everything is gone. <a href="/">Back</a>'

    @app.post("/logout")
    def logout():
        session.clear()
        return redirect("/login", 303)

    return app


def main() -> None:
    """Serve the application."""
    secret = os.environ.get("SMSMFA_SECRET", "only for this example, for it is in its file")
    config = FactorConfig(app_name="Acme", secret=secret, regions={"US", "CA", "GB"})
    make_app(config, SqliteStore("flask_login.sqlite3"), ConsoleSender(), secret).run()


if __name__ == "__main__":
    main()
