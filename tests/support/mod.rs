//! What the tests share: a `shanty` of their own, a registry, waiting for conditions.
