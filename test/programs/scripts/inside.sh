# Runs one scenario in $D, then writes what it left there to $SCRATCH/tree: for every entry its name,
# type, mode, owner, links, size, blocks and link target, and for every file a checksum.
cd "$D" || exit 99
bash "$SCRIPT"
status=$?
cd "$D" || exit 98
{
  find . -printf 'entry|%P|%y|%m|%U:%G|%n|%s|%b|%l\n' | sort
  find . -type f -print0 | sort -z | xargs -0 -r sha256sum |
    sed -E 's/^\\?([0-9a-f]+)  (.*)$/content|\2|\1/'
} >"$SCRATCH/tree"
exit $status
