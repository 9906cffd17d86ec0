#!/bin/sh
# The life of a small vault in a temporary folder, which is removed at the end. `make demo` runs this.
# Each step prints the command as you would type it, then runs exactly that.
set -eu
cd "$(dirname "$0")/.."

STEPS=12
step=0
DEMO=$(mktemp -d "${TMPDIR:-/tmp}/kms-demo.XXXXXX")
trap 'rm -rf "$DEMO"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Nothing of the caller's own vault may take part, and nothing may ask.
for name in $(env | sed -n 's/^\(KMS_[A-Z_]*\)=.*/\1/p'); do
  unset "$name"
done
export DEMO KMS_VAULT="$DEMO/vault" XDG_STATE_HOME="$DEMO/state" KMS_NO_INPUT=1

title() {
  step=$((step + 1))
  printf '\n[%d/%d] %s\n' "$step" "$STEPS" "$1"
}

fail() {
  printf 'demo: %s\n' "$1" >&2
  exit 1
}

# run COMMAND: print it, run it, and stop the demo when it fails.
run() {
  printf '  $ %s\n' "$1"
  eval "$1" || fail "that should have worked, and ended with $?"
}

# caught CODE COMMAND: print it, run it, and stop the demo unless it ends with CODE.
caught() {
  printf '  $ %s\n' "$2"
  code=0
  eval "$2" || code=$?
  [ "$code" -eq "$1" ] || fail "that should have ended with $1, and ended with $code"
  printf '  refused with exit code %d, as it should be\n' "$code"
}

FILE=SECURITY.md
[ "$(wc -c < "$FILE")" -le 4096 ] || fail "$FILE has outgrown the 4096 bytes that one ciphertext holds: choose another"
printf 'A vault in DEMO=%s (KMS_VAULT and XDG_STATE_HOME point into it).\n' "$DEMO"

title "Make a vault, unlocked by a keyfile"
run "kms init --new-keyfile \$DEMO/keyfile"
KMS_KEYFILE="$DEMO/keyfile"
export KMS_KEYFILE
printf '  $ export KMS_KEYFILE=$DEMO/keyfile\n'

title "Create a key and name it"
run "kms create-key --alias alias/app --description 'the demo key' --output table"

title "Encrypt a file of this repository"
run "kms encrypt -k alias/app $FILE -o \$DEMO/old.kms"

title "Decrypt it and compare"
run "kms decrypt \$DEMO/old.kms -o \$DEMO/first.md"
run "cmp $FILE \$DEMO/first.md"

title "Rotate: the key gets new material, its old material stays for old ciphertexts"
run "kms rotate-key-on-demand --key-id alias/app"

title "The old ciphertext still opens"
run "kms decrypt \$DEMO/old.kms | cmp $FILE -"

title "Bring the old ciphertext to the new material; the plaintext never leaves the command"
run "kms re-encrypt --ciphertext-blob fileb://\$DEMO/old.kms --destination-key-id alias/app --output raw > \$DEMO/new.kms"
cmp -s "$DEMO/old.kms" "$DEMO/new.kms" && fail "the ciphertext did not change"

title "The new ciphertext opens too"
run "kms decrypt \$DEMO/new.kms | cmp $FILE -"

title "Verify the audit log: every line signed and chained"
run "kms audit verify"

title "Change one word of the audit log in a copy of the vault: it is found"
run "cp -Rp \$DEMO/vault \$DEMO/copy"
run "LC_ALL=C sed 's/RotateKeyOnDemand/DescribeKey/' \$DEMO/vault/audit/00000001.jsonl > \$DEMO/copy/audit/00000001.jsonl"
caught 51 "kms --vault \$DEMO/copy audit verify"

title "Change one byte of a key's record in another copy: it is refused"
run "cp -Rp \$DEMO/vault \$DEMO/other"
run "LC_ALL=C sed 's/the demo key/the demo kez/g' \$DEMO/vault/vault.db > \$DEMO/other/vault.db"
caught 50 "kms --vault \$DEMO/other describe-key --key-id alias/app"

title "The vault itself is as it was"
run "kms audit verify"
run "kms decrypt \$DEMO/new.kms | cmp $FILE -"

printf '\nAll %d steps did what they should; %s is removed.\n' "$STEPS" "$DEMO"
