#!/bin/sh
# Builds a program against an installed library as a user would, with nothing but pkg-config, and
# runs it: install.sh PREFIX

set -eu
cd "$(dirname "$0")/../.."
prefix=$1
work=target/install-test
mkdir -p "$work"
export PKG_CONFIG_PATH="$prefix/lib/pkgconfig"
cat >"$work/program.c" <<'END'
#include <stdio.h>
#include <tenon.h>

int main(void) {
  wasm_engine_t* engine = wasm_engine_new();
  printf("%s\n", tenon_version());
  wasm_engine_delete(engine);
  return engine == NULL;
}
END
version=$(pkg-config --modversion tenon)

# shellcheck disable=SC2046
${CC:-cc} "$work/program.c" -o "$work/shared" $(pkg-config --cflags --libs tenon)
[ "$(LD_LIBRARY_PATH=$prefix/lib "$work/shared")" = "$version" ]
readelf -d "$work/shared" | grep -q 'NEEDED.*libtenon\.so\.[0-9]'

# shellcheck disable=SC2046
${CC:-cc} "$work/program.c" -o "$work/static" $(pkg-config --cflags --libs --static tenon |
  sed 's|-ltenon|-l:libtenon.a|')
[ "$("$work/static")" = "$version" ]
if readelf -d "$work/static" | grep -q libtenon; then
  echo "the static program needs the shared library" >&2
  exit 1
fi

# The example that the README shows.
# shellcheck disable=SC2046
${CC:-cc} examples/01-hello.c -o "$work/hello" $(pkg-config --cflags --libs tenon)
LD_LIBRARY_PATH=$prefix/lib "$work/hello" >/dev/null
# The example of docs/c-api.md.
# shellcheck disable=SC2046
${CC:-cc} examples/02-objects.c -o "$work/objects" $(pkg-config --cflags --libs tenon)
[ "$(LD_LIBRARY_PATH=$prefix/lib "$work/objects")" = "3 4 5 = 12" ]
sed -n '/^```c$/,/^```$/p' README.md | sed '1d;$d' | cmp - examples/01-hello.c

# What belongs to the command line is there, and loads.
bash -n "$prefix/share/bash-completion/completions/tenon"
for file in man/man1/tenon.1 man/man1/tenon-run.1 zsh/site-functions/_tenon \
  fish/vendor_completions.d/tenon.fish; do
  [ -s "$prefix/share/$file" ]
done

# Beside the API the static library has no name that could clash with anything.
[ -z "$(nm -g --defined-only "$prefix/lib/libtenon.a" 2>/dev/null | awk 'NF == 3 { print $3 }' |
  grep -vE '^(wasm|wasi|wasmer|tenon)_')" ]
echo "3 passed, 0 failed"
