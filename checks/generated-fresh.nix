# What is committed of the examples and of the flake template is what dormouse-generate makes of them.
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

  template=${self}/templates/flake
  dormouse-generate --check --spec $template/dormouse.json --out $template/generated

  # A file that differs is noticed.
  cp -R $template/generated . && chmod -R u+w generated
  echo >>generated/known_hosts
  if dormouse-generate --check --spec $template/dormouse.json --out generated; then
    exit 1
  fi
  touch $out
''
