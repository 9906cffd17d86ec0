"""Every question that the command asks a person, at a terminal of its own."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest

Ask = Callable[..., pexpect.spawn]


@pytest.fixture
def person(environ: dict[str, str]) -> dict[str, str]:
    """The environment of a person at a terminal: no keyfile, and questions are welcome."""
    return {name: value for name, value in environ.items() if name not in {"KMS_KEYFILE", "KMS_NO_INPUT"}}


@pytest.fixture
def ask(person: dict[str, str], home: Path) -> Ask:
    """Starts the command at a terminal."""

    def start(*words: str, stdin: str = "", **environ: str) -> pexpect.spawn:
        command = ["kms", *words]
        if stdin:
            command = ["sh", "-c", f'exec kms "$@" < {stdin}', "kms", *words]
        return pexpect.spawn(
            command[0],
            command[1:],
            env=person | environ,
            cwd=str(home),
            encoding="utf-8",
            codec_errors="replace",
            timeout=60,
        )

    return start


def end(child: pexpect.spawn) -> tuple[str, int]:
    """What was printed since the last expectation, and the exit code (negative for a signal)."""
    child.expect(pexpect.EOF)
    child.close()
    printed: str = child.before.replace("\r\n", "\n")
    return printed, -child.signalstatus if child.signalstatus else child.exitstatus


@pytest.fixture
def passphrase(home: Path, environ: dict[str, str]) -> str:
    """A passphrase that opens the vault."""
    (home / "pass").write_text("first secret\n")
    (home / "pass").chmod(0o600)
    command = ["kms", "slot", "add", "--label", "pass", "--new-passphrase-file", "pass"]
    subprocess.run(command, env=environ, cwd=home, check=True, capture_output=True)
    return "first secret"


def test_init_asks_for_a_new_passphrase_twice_and_never_shows_it(ask: Ask) -> None:
    child = ask("--vault", "new", "init", "--kdf-memory", "8", "--quiet")
    child.expect("New passphrase for admin of the new vault: ")
    child.sendline("needle one")
    child.expect("The same again: ")
    child.sendline("needle one")
    printed, code = end(child)
    assert code == 0
    assert "root fingerprint" in printed
    assert "needle" not in printed

    child = ask("--vault", "new", "slot", "test", "--query", "Slot.Kind")
    child.expect("Passphrase of admin: ")
    child.sendline("needle one")
    assert end(child) == ('\n"passphrase"\n', 0)


def test_two_that_differ_are_asked_for_again(ask: Ask) -> None:
    child = ask("--vault", "new", "init", "--kdf-memory", "8", "--quiet")
    child.expect("New passphrase")
    child.sendline("one")
    child.expect("The same again")
    child.sendline("two")
    child.expect("The two differ.")
    child.expect("New passphrase")
    child.sendline("one")
    child.expect("The same again")
    child.sendline("one")
    assert end(child)[1] == 0


def test_an_empty_passphrase_is_refused(ask: Ask) -> None:
    child = ask("--vault", "new", "init", "--kdf-memory", "8", "--quiet")
    child.expect("New passphrase")
    child.sendline("")
    child.expect("An empty passphrase protects nothing.")
    child.expect("New passphrase")
    child.sendline("one")
    child.expect("The same again")
    child.sendline("one")
    assert end(child)[1] == 0


def test_after_three_tries_it_is_over_and_nothing_is_made(ask: Ask, home: Path) -> None:
    child = ask("--vault", "new", "init", "--kdf-memory", "8")
    for _ in range(3):
        child.expect("New passphrase")
        child.sendline("")
    printed, code = end(child)
    assert (code, "Locked: no new passphrase after 3 tries" in printed) == (13, True)
    assert not (home / "new").exists()


def test_init_where_a_vault_is_asks_nothing(ask: Ask) -> None:
    printed, code = end(ask("init"))
    assert code == 21
    assert "assphrase" not in printed


def test_a_wrong_passphrase_is_told(ask: Ask, passphrase: str) -> None:
    child = ask("list-keys")
    child.expect("Passphrase of admin: ")
    child.sendline(passphrase.upper())
    printed, code = end(child)
    assert code == 12
    assert "kms: error: WrongSecret: wrong passphrase for principal admin" in printed


def test_the_question_is_asked_on_the_terminal_and_standard_input_stays_data(
    ask: Ask, passphrase: str, home: Path
) -> None:
    (home / "plain").write_text("data of standard input\n")
    child = ask("encrypt", "-o", "out.kms", stdin="plain")
    child.expect("Passphrase of admin: ")
    child.sendline(passphrase)
    assert end(child) == ("\n", 0)

    child = ask("decrypt", stdin="out.kms")
    child.expect("Passphrase of admin: ")
    child.sendline(passphrase)
    assert end(child) == ("\ndata of standard input\n", 0)


def test_a_passphrase_may_hold_any_bytes(ask: Ask, home: Path) -> None:
    odd = "p\u00e4ss  w\u00f6rd \u20ac "
    child = ask("slot", "add", "--label", "odd", "--keyfile", "keyfile", "--quiet")
    child.expect("New passphrase for slot odd of admin: ")
    child.sendline(odd)
    child.expect("The same again: ")
    child.sendline(odd)
    assert end(child)[1] == 0
    child = ask("slot", "test", "--query", "Slot.Label")
    child.expect("Passphrase of admin: ")
    child.sendline(odd)
    assert end(child) == ('\n"odd"\n', 0)
    assert odd.encode() not in b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())


def test_slot_change_asks_for_the_old_and_the_new(ask: Ask, passphrase: str) -> None:
    child = ask("slot", "change", "pass", "--quiet", "--query", "Slot.Label")
    child.expect("Passphrase of admin: ")
    child.sendline(passphrase)
    child.expect("New passphrase for slot pass of admin: ")
    child.sendline("second secret")
    child.expect("The same again: ")
    child.sendline("second secret")
    assert end(child) == ('\n"pass"\n', 0)

    child = ask("slot", "test", "--query", "Slot.Label")
    child.expect("Passphrase of admin: ")
    child.sendline("second secret")
    assert end(child) == ('\n"pass"\n', 0)


@pytest.mark.parametrize("answer", ["y", "Yes"])
def test_slot_remove_goes_on_after_a_yes(ask: Ask, passphrase: str, answer: str) -> None:
    del passphrase
    child = ask("slot", "remove", "pass", "--keyfile", "keyfile", "--quiet", "--query", "Slot.Label")
    child.expect_exact("Remove slot pass (passphrase) of admin? [y/N] ")
    child.sendline(answer)
    assert end(child) == (f'{answer}\n"pass"\n', 0)


@pytest.mark.parametrize("answer", ["", "n", "yeah"])
def test_slot_remove_stops_at_anything_else(ask: Ask, passphrase: str, answer: str) -> None:
    del passphrase
    child = ask("slot", "remove", "pass", "--keyfile", "keyfile")
    child.expect_exact("[y/N] ")
    child.sendline(answer)
    assert end(child) == (f"{answer}\nkms: error: Declined: nothing was changed\n", 3)


@pytest.fixture
def watched(person: dict[str, str], home: Path, passphrase: str) -> pexpect.spawn:
    """A shell that runs the command, then says how it ended and how the terminal is left."""
    del passphrase
    script = "trap : INT HUP; kms list-keys; echo ended with $?; stty -a"
    shell = pexpect.spawn("bash", ["-c", script], env=person, cwd=str(home), encoding="utf-8", timeout=60)
    shell.expect("Passphrase of admin: ")
    assert not shell.getecho()
    return shell


def test_ctrl_c_ends_the_question_with_130_and_the_echo_comes_back(watched: pexpect.spawn) -> None:
    watched.sendintr()
    watched.expect("kms: error: Interrupted: interrupted")
    watched.expect("ended with 130")
    watched.expect(r" (-?)echo ")
    assert watched.match.group(1) == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_command_as_it_should_and_the_echo_comes_back(
    watched: pexpect.spawn, number: signal.Signals
) -> None:
    children = Path(f"/proc/{watched.pid}/task/{watched.pid}/children").read_text()
    os.kill(int(children.split()[0]), number)
    watched.expect(f"ended with {128 + number}")
    watched.expect(r" (-?)echo ")
    assert watched.match.group(1) == ""


def test_ctrl_d_is_no_answer(ask: Ask, passphrase: str) -> None:
    del passphrase
    child = ask("list-keys")
    child.expect("Passphrase of admin: ")
    child.sendeof()
    printed, code = end(child)
    assert (code, "Locked: the terminal gave no answer" in printed) == (13, True)


@pytest.mark.parametrize("words", [["list-keys"], ["--vault", "new", "init"], ["slot", "test"]])
def test_with_no_input_nothing_is_asked_even_at_a_terminal(ask: Ask, words: list[str]) -> None:
    printed, code = end(ask(*words, "--no-input"))
    assert (code, "nobody can be asked" in printed) == (13, True)
    printed, code = end(ask(*words, KMS_NO_INPUT="1"))
    assert (code, "nobody can be asked" in printed) == (13, True)


def test_without_a_terminal_nothing_is_asked(person: dict[str, str], home: Path) -> None:
    ended = subprocess.run(
        ["kms", "list-keys"], env=person, cwd=home, input=b"first secret\n", capture_output=True,
        check=False, start_new_session=True, timeout=60,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (13, b"")


def test_binary_is_not_written_to_a_terminal(ask: Ask, home: Path) -> None:
    (home / "plain").write_bytes(b"text\n")
    printed, code = end(ask("encrypt", "--keyfile", "keyfile", "plain"))
    assert (code, "binary output is not written to a terminal" in printed) == (2, True)
    printed, code = end(ask("encrypt", "--keyfile", "keyfile", "plain", "-o", "-"))
    assert (code, printed.startswith("KMSB")) == (0, True)


def test_decrypted_text_is_shown_and_decrypted_binary_is_not(ask: Ask, home: Path) -> None:
    for content, shown in ((b"t\xc3\xa4xt\tx\n", True), (b"\x1b[31mred\n", False), (b"\xff\xfe", False)):
        (home / "plain").write_bytes(content)
        assert end(ask("encrypt", "--keyfile", "keyfile", "plain", "-o", "out.kms"))[1] == 0
        printed, code = end(ask("decrypt", "--keyfile", "keyfile", "out.kms"))
        if shown:
            assert (printed.expandtabs(), code) == (content.decode().expandtabs(), 0)
        else:
            assert (code, "binary output is not written" in printed, "\x1b" in printed) == (2, True, False)


def test_an_answer_cannot_steer_the_terminal(ask: Ask) -> None:
    words = ("create-key", "--keyfile", "keyfile", "--description", "\x1b]0;title\x07\x9b31m\u202e")
    for form in ("json", "text", "table"):
        printed, code = end(ask(*words, "--query", "KeyMetadata.Description", "--output", form))
        assert code == 0
        assert not any(character in printed for character in "\x07\x9b\u202e")
        assert "\x1b]" not in printed


def test_tables_have_lines_for_people_and_none_for_plain_terminals(ask: Ask) -> None:
    words = ("slot", "list", "--output", "table")
    assert "\u256d" in end(ask(*words))[0]
    printed, _ = end(ask(*words, TERM="dumb"))
    assert ("+--" in printed, "\x1b" in printed) == (True, False)
    assert "\x1b" not in end(ask(*words, NO_COLOR="1"))[0].replace("\x1b[1m", "").replace("\x1b[0m", "")


def test_input_typed_at_the_terminal_is_taken_to_its_end(ask: Ask, home: Path) -> None:
    child = ask("encrypt", "--keyfile", "keyfile", "-o", "out.kms")
    child.expect("kms: note: reading from the terminal; end with Ctrl-D")
    child.sendline("typed text")
    child.sendeof()
    assert end(child)[1] == 0
    assert end(ask("decrypt", "--keyfile", "keyfile", "out.kms")) == ("typed text\n", 0)
    assert (home / "out.kms").stat().st_mode & 0o777 == 0o600


def test_ctrl_c_while_input_is_awaited_ends_with_130_and_writes_nothing(ask: Ask, home: Path) -> None:
    child = ask("encrypt", "--keyfile", "keyfile", "-o", "out.kms")
    child.expect("end with Ctrl-D")
    child.sendintr()
    printed, code = end(child)
    assert (code, "kms: error: Interrupted: interrupted" in printed) == (130, True)
    assert not (home / "out.kms").exists()


SLOW = "{ head -c 3000000 /dev/zero; sleep 1.3; head -c 3000000 /dev/zero; sleep 0.3; head -c 3000000 /dev/zero; }"


def shell(command: str, person: dict[str, str], home: Path) -> pexpect.spawn:
    return pexpect.spawn(
        "bash", ["-c", command], env=person | {"KMS_KEYFILE": "keyfile"}, cwd=str(home), encoding="utf-8", timeout=60
    )


def test_what_takes_over_a_second_has_a_bar_that_leaves_no_trace(person: dict[str, str], home: Path) -> None:
    child = shell(f"{SLOW} | kms encrypt -o out.kms; echo ended with $?", person, home)
    child.expect(r"\d+(\.\d+)?(/\?)? (MiB|bytes)")
    child.expect("\x1b\\[2K")  # its line is erased
    child.expect("ended with 0")
    assert (home / "out.kms").stat().st_size > 9_000_000


@pytest.mark.parametrize("more", ["--quiet", "2>errors"])
def test_there_is_no_bar_where_nobody_wants_one(person: dict[str, str], home: Path, more: str) -> None:
    child = shell(f"{SLOW} | kms encrypt -o out.kms {more}; echo ended with $?", person, home)
    assert end(child) == ("ended with 0\n", 0)
    assert more == "--quiet" or (home / "errors").read_bytes() == b""


def test_there_is_no_bar_for_what_is_done_at_once(person: dict[str, str], home: Path) -> None:
    child = shell("head -c 9000000 /dev/zero | kms encrypt | kms decrypt | wc -c", person, home)
    assert end(child) == ("9000000\n", 0)


@pytest.mark.parametrize("verb", ["encrypt", "decrypt"])
def test_ctrl_c_leaves_the_old_file_and_no_temporary_one(person: dict[str, str], home: Path, verb: str) -> None:
    (home / "out").write_text("old")
    made = shell("head -c 9000000 /dev/zero | kms encrypt -o whole.kms", person, home)
    assert end(made) == ("", 0)
    source = "cat /dev/zero" if verb == "encrypt" else "head -c 5000000 whole.kms; sleep 60"
    child = shell(f"trap : INT; {{ {source}; }} | kms {verb} -o out; echo ended with ${{PIPESTATUS[1]}}", person, home)
    for _ in range(200):
        if any(path.stat().st_size > 1 << 20 for path in home.glob(".out.*.tmp")):
            break
        child.expect([r"\r", pexpect.TIMEOUT], timeout=0.05)
    else:
        pytest.fail("nothing was written in ten seconds")
    child.sendintr()
    child.expect("kms: error: Interrupted: interrupted")
    child.expect("ended with 130")
    assert ((home / "out").read_text(), list(home.glob(".out.*"))) == ("old", [])
