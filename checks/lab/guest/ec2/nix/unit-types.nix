# Types of values that go into files as `Key=value`.
{ lib }:
let
  isScalar = value: builtins.isBool value || builtins.isInt value || builtins.isString value;
  type = description: check: {
    inherit check;
    fill =
      path: value:
      if check value then
        value
      else
        throw "A definition for option `${path}' is not of type `${description}': ${builtins.toJSON value}";
  };
in
lib.types
// {
  section = lib.types.attrsOf (
    type "boolean, integer, string or list of these" (
      value: isScalar value || builtins.isList value && builtins.all isScalar value
    )
  );
  hostId = type "8 hexadecimal digits" (
    value: builtins.isString value && builtins.match "[0-9a-f]{8}" value != null
  );
}
