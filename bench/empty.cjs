// The bare runtime: nothing at all.
