def problems(example, nixpkgs=None):
    return []
