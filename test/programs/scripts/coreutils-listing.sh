. "$SCRIPTS/plant.sh"
plant p
ls
touch -d "2022-03-04 05:06:07 UTC" .
ls -la p
ls -lan --time-style=full-iso p/dir
ls -R p
ls -lS p/dir
ls -laF p
ls -d p/*
ls -1U p | sort
ls -l --time-style=+%s p/text
ls -lh p/dir/sub
ls -s p/dir/sub
ls --color=always p
ls -L p/dir/soft
ls -lH p/dir/soft
ls absent
echo $?
ls -l p/dangling p/text
stat -c '%n %F %a %A %h %s %b %B %u %g %U %G %y %N %o %t %T' p p/* p/dir/*
stat -L -c '%n %F %s' p/dir/soft p/dangling
echo $?
stat -f -c '%T %s %S' p
stat -c %s - < p/text
find p | sort
find p -type f | sort
find p -type d -empty | sort
find p -type l | sort
find p -xtype l
find p -name '*.*'
find p -size +50k
find p -size 0 | sort
find p -perm 750
find p -perm -4000
find p -perm /1000
find p -links 2 | sort
find p -newermt 2022-01-01 | wc -l
find p -newer p/text
find p -mtime +10 | wc -l
find p -samefile p/text | sort
find p -maxdepth 1 | sort
find p -mindepth 3 | sort
find p -path '*/sub/*' | sort
find p -regex '.*/[a-z]+' | sort
find p -prune
find p -depth -name 's*' | sort
find -L p -name soft -type f
find p -lname '*text'
find p -executable -type f | sort
find p -type f -exec wc -c {} + | sort
find p -type f -execdir echo {} \; | sort
find p -printf '%P %y %m %s %n %l %d %f %h %TY\n' | sort
find p -name text -o -name script | sort
find p -not -type f | sort
find p -user 0 | wc -l
find p -readable | wc -l
find p -ls | awk '{print $3,$4,$7}' | sort
find "$D/p" -type d | sort
find . -name deep -print0 | tr '\0' '\n'
find p -quit
find p/absent
echo $?
du -al p | sort -k2
du -s p
du -sh p
du --apparent-size -al p | sort -k2
du -sb p/dir
du -c p/dir/sub p/text
du --inodes -l p | sort -k2
du -l p/text p/dir/hard
df --output=target . > /dev/null
echo $?
tree=$(ls -R p | wc -l)
echo $tree
echo scenario complete
