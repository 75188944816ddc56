mkdir -p a/b/c "with space"
ln -s a/b link
ln -s ../a a/up
pwd
cd a
pwd
cd b/c
pwd
cd ../..
pwd
cd ..
pwd
cd link
pwd
pwd -P
cd ..
pwd
cd link
cd -P ..
pwd
cd "$D"
cd -P link/c
pwd
cd -
pushd a
pushd b
dirs
popd
popd
dirs
cd "with space"
pwd
cd ..
cd a/up/up/b
pwd
pwd -P
cd "$D"
CDPATH=$D/a
cd b
pwd
unset CDPATH
cd "$D"
cd missing
echo $?
touch file
cd file
echo $?
cd ''
echo $?
pwd
cd /
pwd
cd "$D/a"
pwd
cd /usr
[ -d lib ] && echo host-lib
cd -
cd /
[ -d "${D#/}" ] && echo relative-from-root
cd "$D"
mkdir gone
cd gone
rmdir ../gone
ls
pwd
pwd -P
echo x > f
echo "status $?"
cd ..
echo "status $?"
cd "$D"
pwd
mkdir moved
cd moved
mv ../moved ../renamed
pwd -P
/bin/pwd
touch inside
cd "$D"
ls renamed
cd a
( cd b
pwd )
pwd
bash -c 'pwd; cd ..; pwd'
pwd
env -C "$D/a/b" pwd
cd "$D"
mkdir -m 000 locked
stat -c '%a' locked
rmdir locked
find . | sort
( cd a/b/c && find ../../.. -name c )
echo ~+ ~-
echo scenario complete
