"""One small site for each framework, with a login, a page for users, a step-up and a logout."""

from contextlib import contextmanager

from smsmfa.web.flask import SecondStep

#: The application's own pages. No framework protects them from forged requests: they show what the second step does.
PAGE = '<!doctype html><html lang="en"><title>Acme</title><link rel="icon" href="data:,"><body>{}'
LOGIN = PAGE.format('<h1>Log in to Acme</h1><form method="post" action="/login"><button>Log in</button></form>')
HOME = PAGE.format("<h1>Welcome to Acme</h1>")
ACCOUNT = PAGE.format(
    '<h1>Hello alice</h1><p>You are {}.</p><a href="/mfa/account">Security</a>'
    '<form method="post" action="/delete"><button>Delete everything</button></form>'
    '<form method="post" action="/logout"><button>Log out</button></form>'
)
DELETED = PAGE.format("<h1>Everything is deleted</h1>")


@contextmanager
def flask_site(factor):
    """A site of Flask, with its session in a signed cookie."""
    import flask

    app = flask.Flask(__name__)
    app.secret_key = factor.config.app_name
    step = SecondStep(factor.config, factor.store, factor.outbox, clock=factor.clock)
    step.init_app(app, prefix="/mfa")

    @app.get("/")
    def home():
        return HOME

    @app.get("/login")
    def ask():
        return LOGIN

    @app.post("/login")
    def login():
        return step.begin("alice", next="/account")

    @app.get("/account")
    @step.required
    def account():
        return ACCOUNT.format(step.user_id)

    @app.post("/delete")
    @step.fresh(back="/account")
    def delete():
        return DELETED

    @app.post("/logout")
    def logout():
        flask.session.clear()
        return flask.redirect("/login", 303)

    yield app


#: The frameworks, with what makes a site of each.
SITES = {"flask": flask_site}
