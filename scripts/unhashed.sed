# Names of functions without what differs from compiler to compiler, and from folder to folder.
s/17h[0-9a-f]{16}E.*//
s/Cs[0-9A-Za-z]+_//g
s/\.llvm\.[0-9]+$//
