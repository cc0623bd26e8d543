#!/bin/sh
# Starts the standalone executable that npm installed for this platform; where there is none, the same on Node.js.

case $0 in
  */*) file=$0 ;;
  *) file=./$0 ;;
esac

# Where npm's global link leads, without asking readlink(1), which takes longer than all else.
package=${file%/*}/../lib/node_modules/rolesanywhere
if ! [ "$package/bin/launcher.sh" -ef "$file" ]; then
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
