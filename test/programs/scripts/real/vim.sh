# vim scripted: swap files, backups, undo files, writes over links, filters.
command -v vim > /dev/null && v=vim || v=vim.tiny
export HOME=$D; vi() { $v -u NONE -i NONE -es "$@" < /dev/null 2>&1; echo " status $?"; }
seq 8 > a; chmod 640 a; vi -c '%s/5/five/' -c 'w' -c 'w copy' -c q a; cat a copy; stat -c %a a
vi -n -c 'set backup backupext=.bak' -c 'normal ggdd' -c wq a; ls -A; ln a hard; ln -s a soft; vi -c 'set backup backupcopy=no' -c '1d' -c wq a; stat -c %h a hard; vi -c 'set backupcopy=yes' -c '1d' -c wq soft; ls -l soft | cut -c1; wc -l < a
vi -c 'set directory=.' -c 'split' -c 'e copy' -c '$r !echo filtered' -c '1,3!sort -r' -c 'wa' -c 'qa' a; cat copy; mkdir d; vi -c 'cd d' -c 'w inner' -c '!pwd > here' -c 'qa!' a; cat d/here; wc -l < d/inner; vi -c 'e absent/x' -c 'w' -c 'qa!'; vi -c 'let x=glob("*")' -c 'put =x' -c 'w list' -c 'qa!'; cat list; vi -c 'call mkdir("made/deep","p")' -c 'call writefile(["w"],"made/deep/f")' -c 'call rename("made/deep/f","made/g")' -c 'call delete("made/deep","d")' -c 'qa!'; find made
: > swap; ($v -u NONE -i NONE -es -c 'set directory=. swapfile updatecount=1' -c 'e swap' -c 'normal ihello' -c 'preserve' -c 'sleep 200m' -c '!ls -A .swap.sw* > seen' -c 'qa!' < /dev/null); cat seen; ls -A; chmod 400 a; vi -c '$d' -c 'w!' -c 'qa!' a; stat -c '%a' a; head -c 3000000 /dev/zero | tr '\0' x | fold > big; vi -c '%s/xx/y/g' -c wq big; md5sum big; vi -c 'set fileencoding=utf-16' -c 'w wide' -c q copy; od -c wide | head -2
rm -rf a* copy hard soft d list made swap seen big wide; ls -A; echo scenario complete
