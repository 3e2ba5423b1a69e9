# Options and their definitions make values: types are checked, defaults are filled in.
rec {
  fill =
    options: path: definitions:
    let
      unknown = builtins.attrNames (removeAttrs definitions (builtins.attrNames options));
      value =
        name: option:
        let
          at = "${path}.${name}";
        in
        if (option._type or null) != "option" then
          fill option at (definitions.${name} or { })
        else if definitions ? ${name} then
          option.type.fill at definitions.${name}
        else
          option.default or (throw "The option `${at}' is used but not defined.");
    in
    if unknown != [ ] then
      throw "The option `${path}.${builtins.head unknown}' does not exist."
    else
      builtins.mapAttrs value options;
}
