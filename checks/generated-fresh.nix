# What is committed of the examples is what dormouse-generate makes of them; so is what it writes
# for the flake template.
{
  self,
  pkgs,
  dormouse,
  ...
}:
pkgs.runCommand "generated-fresh" { nativeBuildInputs = [ dormouse ]; } ''
  # Of the fleet only one host is committed.
  for example in awkward demo home static; do
    dormouse-generate --check --spec ${self}/examples/$example.json \
      --out ${self}/generator/tests/golden/$example
  done

  spec=${self}/templates/flake/dormouse.json
  (umask 077 && printf '%064d\n' 1 >seed)
  dormouse-generate --spec $spec --seed seed --out generated --secrets secrets
  dormouse-generate --check --spec $spec --out generated

  # A file that differs is noticed.
  echo >>generated/known_hosts
  if dormouse-generate --check --spec $spec --out generated; then
    exit 1
  fi
  touch $out
''
