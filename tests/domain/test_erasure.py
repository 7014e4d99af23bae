"""Erasing somebody: what named them is gone from every copy, what the law keeps stays until its day, the chains stay whole."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from core import clock
from core.errors import AppError, Conflict, Forbidden, Gone, SamePerson
from core.person_seal import KeyDestroyed
from core.states import Person, Role
from domain import database
from domain.actors import Actor, system
from domain.books import chains, verification
from domain.cases import attachments
from domain.invoices import content, document_views
from domain.mail import mails
from domain.people import erasure, erasure_outlook, legal_holds, people, rights, sessions
from domain.secrets import person_keys, reencryption
from models import Base
from models.audit import AuditRow
from models.cards import PaymentMethod
from models.cases import Attachment
from models.events import EventLog
from models.invoices import Invoice
from models.orders import InvoiceDraft
from models.payments import Payment
from models.people import User
from models.proofs import Mail
from tests.domain import erasing
from tests.domain.erasing import EMAIL, HOME, NAME, REASON, Berta
from tests.domain.world import World


@pytest.fixture
def ada(world: World) -> Actor:
    del world
    return erasing.admin("ada")


@pytest.fixture
def her(world: World) -> Berta:
    return erasing.berta(world)


def erase(user_id: str, by: Actor, reason: str = REASON) -> None:
    with database.transaction() as session:
        erasure.erase(session, user_id, actor=by, source=f"user:{by.id}", reason=reason)


def everything(*, but: str = "") -> str:
    """Give every value of every table but one, as text."""
    with database.reading() as session:
        return "\n".join(
            repr(tuple(row))
            for table in Base.metadata.sorted_tables
            if table.name != but
            for row in session.execute(table.select())
        )


def prove() -> None:
    chains.link_all()
    assert [each.first_bad for each in verification.verify().checks if not each.ok] == []


def test_nothing_in_the_database_names_them_afterwards(ada: Actor, her: Berta) -> None:
    assert NAME in everything()
    prove()
    erase(her.user_id, ada)
    left = everything()
    assert not [word for word in (NAME, EMAIL, HOME) if word in left]
    # The audit log keeps from where an act came: it is part of the chain.
    assert "192.0.2.7" not in everything(but="audit_log")
    prove()
    with database.reading() as session:
        user = session.get_one(User, her.user_id)
        assert (user.name, user.state, people.email_of(user)) == ("Erased person", "disabled", "")
        assert user.password_hash is None and user.totp_sealed is None
        assert people.find_user(session, EMAIL) is None
        assert sessions.find_session(session, her.token) is None
        assert session.get(Mail, her.mail_id) is None
        told = session.scalars(select(EventLog).where(EventLog.type == "person.erased")).one()
        assert told.body == {"userId": her.user_id, "what": "erased"}
        noted = session.scalars(select(AuditRow).where(AuditRow.action == "person.erase")).one()
        assert (noted.object_id, noted.actor, noted.reason) == (her.user_id, ada.id, REASON)
    keys = erasing.keys_of(her.user_id)
    assert keys == {("account", 0): False, ("books", clock.now().year): True}


def test_a_copy_from_before_cannot_be_read_with_the_keys_of_afterwards(
    ada: Actor, her: Berta
) -> None:
    with database.reading() as session:
        user, letter = session.get_one(User, her.user_id), session.get_one(Mail, her.mail_id)
        session.expunge_all()
    # With the keys as they are now, the copy opens.
    assert people.email_of(user) == EMAIL
    assert NAME in mails.opened(letter).body
    erase(her.user_id, ada)
    for opens in (lambda: people.email_of(user), lambda: mails.opened(letter)):
        with pytest.raises(KeyDestroyed):
            opens()


def test_no_key_is_made_again_for_somebody_erased(ada: Actor, her: Berta) -> None:
    erase(her.user_id, ada)
    whose = person_keys.Whose(her.user_id)
    with database.transaction() as session, pytest.raises(KeyDestroyed):
        person_keys.seal_text(session, whose, "x", purpose="email", place="users|email|x")
    with database.transaction() as session:
        user = session.get_one(User, her.user_id)
        letter = mails.write(session, user, mails.Letter("receipt", "Receipt", "Thank you"))
        assert (letter.state, letter.user_id, mails.to_of(letter)) == ("dead", None, "")


def test_invoices_stay_readable_to_those_who_must_keep_them(
    world: World, ada: Actor, her: Berta
) -> None:
    erase(her.user_id, ada)
    with database.reading() as session:
        shown = content.of_invoice(session, her.invoice_id)
        assert shown.buyer is not None and shown.buyer.name == NAME
        for who in (world.fin, ada, replace(world.fin, role=Role.AUDITOR)):
            assert document_views.invoice_of(session, her.invoice_id, actor=who).id
        for who in (her.actor, replace(world.fin, role=Role.SUPPORT)):
            with pytest.raises(Gone):
                document_views.invoice_of(session, her.invoice_id, actor=who)


def test_an_invoice_from_before_there_were_sheets_is_written_down_first(
    ada: Actor, her: Berta
) -> None:
    with database.transaction() as session:
        session.execute(text("update invoices set sealed = null"))
        session.query(InvoiceDraft).delete()
    erase(her.user_id, ada)
    with database.reading() as session:
        shown = content.of_invoice(session, her.invoice_id)
        assert shown.buyer is not None and (shown.buyer.name, shown.buyer.email) == (NAME, EMAIL)


def test_when_the_years_have_passed_only_numbers_and_amounts_are_left(
    ada: Actor, her: Berta
) -> None:
    erase(her.user_id, ada)
    whose = person_keys.Whose(her.user_id, person_keys.BOOKS, clock.now().year)
    with database.transaction() as session:
        person_keys.bury(session, whose, by="system:test", why="its years have passed")
    with database.reading() as session:
        shown = content.of_invoice(session, her.invoice_id)
        invoice = session.get_one(Invoice, her.invoice_id)
        assert shown.buyer is None and shown.lines[0].description == "Kept no longer"
        assert shown.own.gross.minor == invoice.total_minor
    prove()


def test_the_address_may_sign_up_anew(world: World, ada: Actor, her: Berta) -> None:
    erase(her.user_id, ada)
    again = erasing.berta(world)
    with database.reading() as session:
        found = people.find_user(session, EMAIL)
        assert found is not None and found.id == again.user_id != her.user_id
        assert people.person_index_of(found) != session.get_one(User, her.user_id).person_index


def test_what_is_open_stands_in_the_way(world: World, ada: Actor) -> None:
    buyer = erasing.berta(world)
    own = replace(world, bo=buyer.actor)
    own.begin(own.order(buyer_id=buyer.user_id))
    with database.reading() as session:
        found = erasure_outlook.look(session, session.get_one(User, buyer.user_id))
    assert {each.code for each in found.blocks} == {"PAYMENT_OPEN", "INVOICE_UNPAID"}
    with pytest.raises(Conflict) as refused:
        erase(buyer.user_id, ada)
    assert refused.value.code == "ERASURE_BLOCKED"
    assert [each["code"] for each in refused.value.details["blocks"]]  # type: ignore[union-attr,index,call-overload]
    assert NAME in everything() and erasing.keys_of(buyer.user_id)["account", 0]


def test_a_preview_says_what_goes_and_what_stays_until_when(her: Berta) -> None:
    with database.reading() as session:
        found = erasure_outlook.look(session, session.get_one(User, her.user_id))
    assert found.blocks == []
    goes = {line.name: line.count for line in found.goes}
    assert goes["Letters to them"] == 1 and goes["What providers told of their payments"] == 1
    stays = {line.name: line.why or "" for line in found.stays}
    year = clock.now().year
    assert f"{year + 10}-12-31" in stays[f"What invoices of {year} say of them"]


def test_who_may_not_erase(world: World, ada: Actor, her: Berta) -> None:
    stale = replace(ada, stepped_up_at=clock.now() - timedelta(hours=1))
    for who, said in ((world.fin, Forbidden), (her.actor, Forbidden), (stale, Forbidden)):
        with pytest.raises(said):
            erase(her.user_id, who)
    with pytest.raises(SamePerson):
        erase(ada.id, ada)
    with pytest.raises(Conflict) as last:
        erase(ada.id, system("operator"))
    assert last.value.code == "LAST_ADMIN"
    with pytest.raises(AppError):
        erase(her.user_id, ada, reason=" ")
    assert erasing.keys_of(her.user_id)["account", 0]


def test_nothing_is_changed_about_somebody_erased(ada: Actor, her: Berta) -> None:
    erase(her.user_id, ada)
    with pytest.raises(Conflict) as again:
        erase(her.user_id, ada)
    assert again.value.code == "ALREADY_ERASED"
    for wanted in (rights.Wanted(state=Person.ACTIVE), rights.Wanted(name="Berta")):
        with database.transaction() as session, pytest.raises(Conflict) as refused:
            rights.change(session, her.user_id, wanted, actor=ada, source="test", reason=REASON)
        assert refused.value.code == "ALREADY_ERASED"
    with pytest.raises(Exception, match="ck_users_erased"), database.transaction() as session:
        session.execute(text("update users set state = 'active' where erased_at is not null"))


def test_two_admins_at_once_erase_once(ada: Actor, her: Berta) -> None:
    abe = erasing.admin("abe")
    found: list[str] = []
    gate = threading.Barrier(2)

    def press(by: Actor) -> None:
        gate.wait()
        try:
            erase(her.user_id, by)
            found.append("erased")
        except Conflict as refused:
            found.append(refused.code)

    presses = [threading.Thread(target=press, args=(by,)) for by in (ada, abe)]
    for each in presses:
        each.start()
    for each in presses:
        each.join()
    assert sorted(found) == ["ALREADY_ERASED", "erased"]
    with database.reading() as session:
        assert (
            len(session.scalars(select(AuditRow).where(AuditRow.action == "person.erase")).all())
            == 1
        )
    prove()


def test_a_legal_hold_on_them_or_on_a_payment_of_theirs_keeps_everything(
    ada: Actor, her: Berta
) -> None:
    for kind, object_id in (("user", her.user_id), ("payment", her.payment_id)):
        with database.transaction() as session:
            hold = legal_holds.place(
                session, kind, object_id, actor=ada, source="test", reason="a court asked"
            )
        with pytest.raises(Conflict) as held:
            erase(her.user_id, ada)
        assert held.value.code == "ERASURE_BLOCKED"
        with database.transaction() as session, pytest.raises(Conflict):
            legal_holds.place(session, kind, object_id, actor=ada, source="test", reason="again")
        with database.transaction() as session:
            legal_holds.lift(session, hold.id, actor=ada, source="test", reason="it is over")
    erase(her.user_id, ada)
    with database.reading() as session:
        acts = select(AuditRow.action).where(AuditRow.action.startswith("legal_hold."))
        assert sorted(session.scalars(acts)) == ["legal_hold.lift"] * 2 + ["legal_hold.place"] * 2


def test_a_person_asks_for_it_and_may_take_it_back(her: Berta) -> None:
    with database.transaction() as session:
        erasure.ask(session, actor=her.actor)
    with database.reading() as session:
        assert [user.id for user in erasure.list_asking(session)] == [her.user_id]
    with database.transaction() as session:
        erasure.take_back(session, actor=her.actor)
    with database.reading() as session:
        assert erasure.list_asking(session) == []
        wishes = select(AuditRow.after).where(AuditRow.action == "user.change")
        assert {"asksToBeErased": True} in list(session.scalars(wishes))


def test_a_master_key_can_leave_after_somebody_was_erased(ada: Actor, her: Berta) -> None:
    erase(her.user_id, ada)
    with database.reading() as session:
        found = reencryption.standing(session)
        assert found.stray == 0
        assert session.get_one(Payment, her.payment_id).client_secret_sealed is None


def test_kept_cards_are_let_go_and_files_lose_their_bytes(ada: Actor, her: Berta) -> None:
    with database.transaction() as session:
        now = clock.now()
        card = {"user_id": her.user_id, "provider": "stripe", "brand": "visa", "last4": "4242"}
        session.add(
            PaymentMethod(
                id="pm_hers",
                reference="pm_hers",
                state="active",
                is_default=True,
                created_at=now,
                updated_at=now,
                **card,
            )
        )
        given = attachments.check(f"{NAME}.txt", f"{NAME} wrote".encode())
        attachments.put(session, "payment", her.payment_id, given, actor=ada, source="test")
    erase(her.user_id, ada)
    with database.reading() as session:
        kept = session.get_one(PaymentMethod, "pm_hers")
        assert (kept.state, kept.is_default) == ("removing", False) and kept.due_at is not None
        file = session.scalars(select(Attachment)).one()
        assert (file.name, file.live_key, file.removed_by) == ("erased", None, ada.id)
        assert session.scalar(select(Attachment.sealed)) is None
    assert NAME not in everything()
