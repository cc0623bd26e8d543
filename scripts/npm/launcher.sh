#!/bin/sh
# Starts the standalone executable that npm installed for this platform; where there is none, the same on Node.js.

# Where npm's global link leads, without asking readlink(1), which takes longer than all else.
package=${0%/*}/../lib/node_modules/rolesanywhere
if ! [ "$package/bin/launcher.sh" -ef "$0" ]; then
  file=$0
  while [ -L "$file" ]; do
    link=$(readlink "$file") || break
    case $link in
      /*) file=$link ;;
      *) file=${file%/*}/$link ;;
    esac
  done
  package=${file%/*}/..
fi

# npm installs what fits the platform alone: within this package, or beside it where packages are shared.
for executable in "$package"/node_modules/@rolesanywhere/*/rolesanywhere \
  "$package"/../@rolesanywhere/*/rolesanywhere; do
  [ -x "$executable" ] && exec "$executable" "$@"
done
exec node "$package/bin/rolesanywhere.js" "$@"
