# Copies of every kind, between directories and over a pipe as over ssh.
mkdir -p src/sub/deep; seq 5000 > src/numbers; head -c 300000 /dev/zero > src/zeros; echo one > src/sub/one; ln -s one src/sub/soft; ln src/numbers src/hard; mkfifo src/sub/fifo
chmod 640 src/sub/one; chmod 2755 src/sub/deep; touch -d '2020-02-03 04:05:06.789' src/numbers src/sub/one src/sub; touch -h -d '2019-01-01' src/sub/soft
rsync -aH --itemize-changes src/ copy/; find copy -printf '%P %y %m %n %T@\n' | grep -v -e '^ ' -e deep -e zeros -e fifo | sort
rsync -aHi src/ copy/; echo changed >> src/sub/one; rm src/zeros; rsync -aHi --delete src/ copy/; diff -r --no-dereference -x fifo src copy && echo same
seq 2500 5000 >> src/numbers; rsync -ai --inplace --no-whole-file src/ copy/; rsync -ai --no-whole-file --checksum --backup --suffix=.old --exclude=fifo src/ backup/; echo x > src/sub/one; rsync -ai --no-whole-file --checksum --backup --suffix=.old src/ backup/; ls -R backup
truncate -s 10M src/sparse; echo end >> src/sparse; rsync -aS src/sparse copy/; cmp src/sparse copy/sparse && echo sparse same; rm src/sparse copy/sparse
rsync -a --link-dest="$PWD/copy" src/ linked/; stat -c '%n %h' linked/sub/soft linked/numbers
printf '#!/bin/sh\nshift\nexec "$@"\n' > remote; chmod +x remote; rsync -ae ./remote src/ host:"$PWD/far/"; diff -r --no-dereference -x fifo src far && echo far same; rsync -ae ./remote --remove-source-files host:"$PWD/far/sub/" near/; find far near | sort
rsync --list-only src/sub/one > /dev/null && echo listed; rsync -a absent/ nowhere/; echo "status $?"; rsync -a --partial --temp-dir=. --chmod=F600,D711 src/ modes/; stat -c '%a %n' modes/numbers modes/sub; rsync -r --files-from=<(printf 'numbers\nsub/one\n') src/ listed/; find listed | sort
rm -rf src copy backup linked far near modes listed remote
echo scenario complete
