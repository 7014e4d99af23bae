"""Importing a statement on the desk: choose the file; of a CSV, look at how it would be read; then import it."""

from __future__ import annotations

from flask import Blueprint, Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from core.errors import AppError, InvalidInput
from core.money import ASSETS
from core.permissions import Permission
from dashboard import render, words
from dashboard.bank_words import HERE, STATEMENTS
from dashboard.shapes import Alert, Input, Option, View
from domain.bank import bank_accounts, csv_files, csv_maps, drafts, importing, said
from domain.bank.bank_accounts import LONGEST
from domain.bank.csv_maps import COLUMNS, CsvMap
from domain.bank.importing import Wanted
from domain.bank.said import LARGEST_FILE, SaidLine
from domain.bank.sample import ACCOUNT
from domain.database import reading, transaction
from models.statements import BankStatement
from web import access

routes = Blueprint("desk_bank_importing", __name__)
SHOWN = 8
_ACCEPT = ".xml,.csv,.txt"


def _form(*, account: str = "", error: Alert | None = None) -> Response:
    with reading() as session:
        names = [row.name for row in bank_accounts.list_all(session)]
    is_sandbox = render.settings().is_sandbox
    view: View = {
        "account": Input(
            "account",
            "Bank account",
            value=account or (names[0] if len(names) == 1 else ""),
            hint="Your short name for it, such as main-eur. Its books are cash: and that name.",
            required=True,
            maxlength=LONGEST,
            autocomplete="off",
            suggests="known-accounts",
        ),
        "known": names,
        "accept": _ACCEPT,
        "problem": error,
        "sample": {"href": f"{HERE}/sample.xml", "account": ACCOUNT} if is_sandbox else None,
        "back": STATEMENTS,
    }
    return render.page("bank/import.html", view, status=422 if error else 200, live=False)


@routes.get(f"{HERE}/import")
@access.page(Permission.BANK_IMPORT)
def ask() -> Response:
    return _form()


def _given() -> bytes:
    """Read the one file of the form, no more of it than is taken."""
    try:
        sent = request.files.getlist("file")
    except RequestEntityTooLarge as refused:
        raise InvalidInput("A file has at most 10 MiB.") from refused
    if len(sent) != 1 or not sent[0].filename:
        raise InvalidInput("Choose one file first.")
    body = sent[0].stream.read(LARGEST_FILE + 1)
    if len(body) > LARGEST_FILE:
        raise InvalidInput("A file has at most 10 MiB.")
    if not body.strip():
        raise said.unreadable("the file is empty.")
    return body


def _is_xml(body: bytes) -> bool:
    return body[:200].lstrip(b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n").startswith(b"<")


@routes.post(f"{HERE}/import")
@access.page(Permission.BANK_IMPORT, takes_files=True)
def send() -> Response:
    """Import CAMT at once; keep a CSV for the look at how it reads."""
    actor, account = render.actor(), ""
    try:
        body = _given()
        account = render.typed("account")
        bank_accounts.of_name(account)
        if _is_xml(body):
            return _done(_put(Wanted(account, "camt053", body)))
        with transaction() as session:
            draft_id = drafts.keep(session, account, body, actor=actor)
    except AppError as refused:
        if refused.http_status in (403, 404):
            raise
        return _form(account=account, error=_problem(refused))
    return render.to(f"{HERE}/drafts/{draft_id}")


def _problem(refused: AppError) -> Alert:
    link = refused.details.get("link")
    return Alert(
        "bad",
        "Nothing was imported",
        refused.message,
        href=str(link) if link else None,
        label="Open that statement" if link else None,
    )


def _put(wanted: Wanted) -> BankStatement:
    actor = render.actor()
    checked = importing.check(wanted)
    with transaction() as session:
        return importing.put(session, checked, actor=actor, source=f"user:{actor.id}")


def _done(row: BankStatement) -> Response:
    with reading() as session:
        counts = importing.counts(session, [row.id])[row.id]
    new = words.counted(counts.total(), "new line")
    text = f"{new}; for {counts['suggested']} something is suggested."
    render.tell(Alert("good", "The statement was imported", text))
    return render.to(f"{STATEMENTS}/{row.id}")


def _select(name: str, label: str, choices: dict[str, str], chosen: str) -> Input:
    options = [Option(value, text, value == chosen) for value, text in choices.items()]
    return Input(name, label, "select", options=options)


def _inputs(body: bytes, asked: CsvMap) -> list[Input]:
    names = csv_maps.header_of(body, asked)
    columns = {"": "–"} | {name: name[:60] for name in names if name}
    return [
        _select("delimiter", "Columns are parted by", dict(csv_maps.DELIMITERS), asked.delimiter),
        _select(
            "encoding", "Encoding", {each: each for each in csv_maps.ENCODINGS}, asked.encoding
        ),
        _select("decimal", "Amounts look like", dict(csv_maps.DECIMALS), asked.decimal),
        _select("dates", "Days look like", dict(csv_maps.DATES), asked.dates),
        Input("header", "Columns are named in line", value=str(asked.header), inputmode="numeric"),
        _select(
            "currency",
            "Currency of all lines",
            {"": "A column says it"} | {code: code for code in sorted(ASSETS)},
            asked.currency,
        ),
        *(
            _select(f"column-{what}", label, columns, asked.columns.get(what, ""))
            for what, (label, _) in COLUMNS.items()
        ),
    ]


def _typed() -> CsvMap:
    """Read the mapping of the form, whole or not.

    Raises: InvalidInput
    """
    header = render.typed("header")
    columns = {
        what: render.typed(f"column-{what}") for what in COLUMNS if render.typed(f"column-{what}")
    }
    # A tab at the end of a text is no blank to be cut here.
    delimiter = request.form.get("delimiter", "")
    return csv_maps.read(
        {
            "delimiter": delimiter,
            "encoding": render.typed("encoding"),
            "decimal": render.typed("decimal"),
            "dates": render.typed("dates"),
            "header": int(header) if header.isascii() and header.isdigit() else 0,
            "currency": render.typed("currency"),
            "columns": dict(columns),
        }
    )


def _row(line: SaidLine) -> View:
    return {
        "no": line.no,
        "booked": str(line.booked_on),
        "money": words.shown(line.amount),
        "reference": line.reference,
        "other": line.counterparty or line.number or "",
    }


def _preview(
    draft_id: str, account: str, body: bytes, asked: CsvMap, problem: Alert | None = None
) -> Response:
    lines: list[SaidLine] = []
    if missing := csv_maps.lacking(asked):
        note = Alert("info", "Say first what is missing", "; ".join(missing).capitalize() + ".")
    else:
        note = None
        try:
            lines = csv_files.preview(body, asked, SHOWN)
        except InvalidInput as refused:
            problem = problem or Alert("bad", "It cannot be read so", refused.message)
    view: View = {
        "account": account,
        "inputs": _inputs(body, asked),
        "rows": [_row(line) for line in lines],
        "note": note,
        "problem": problem,
        "action": f"{HERE}/drafts/{draft_id}",
        "back": f"{HERE}/import",
    }
    return render.page(
        "bank/draft.html",
        view,
        status=422 if problem and request.method == "POST" else 200,
        live=False,
    )


@routes.get(f"{HERE}/drafts/<draft_id>")
@access.page(Permission.BANK_IMPORT, note="one's own only")
def draft(draft_id: str) -> Response:
    with reading() as session:
        row, body = drafts.open_draft(session, draft_id, actor=render.actor())
        kept = bank_accounts.mapping_of(session, row.account)
    return _preview(draft_id, row.account, body, csv_maps.guess(body, kept))


@routes.post(f"{HERE}/drafts/<draft_id>")
@access.page(Permission.BANK_IMPORT, note="one's own only")
def import_draft(draft_id: str) -> Response:
    actor = render.actor()
    with reading() as session:
        row, body = drafts.open_draft(session, draft_id, actor=actor)
    try:
        asked = _typed()
    except InvalidInput as refused:
        guessed = csv_maps.guess(body)
        said_why = Alert("bad", "It cannot be read so", refused.message)
        return _preview(draft_id, row.account, body, guessed, said_why)
    if render.typed("act") != "import":
        return _preview(draft_id, row.account, body, asked)
    try:
        found = _put(Wanted(row.account, "csv", body, asked))
    except AppError as refused:
        if refused.http_status in (403, 404):
            raise
        return _preview(draft_id, row.account, body, asked, _problem(refused))
    with transaction() as session:
        drafts.drop(session, draft_id, actor=actor)
    return _done(found)
