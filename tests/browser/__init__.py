"""The page in a real browser. As a package, so that what is made for all of its tests ends with the last one."""
