export HOME=$D/home
mkdir home; git config --global init.defaultBranch main; git config --global advice.detachedHead false
git config --global pack.threads 1; git config --global gc.auto 0; git config --global core.pager cat
git init repo; cd repo; git status; git config user.name A; git config user.email a@example.org
seq 1 500 > numbers; mkdir -p src/deep; echo 'int main(){}' > src/main.c; ln -s ../numbers src/link; echo run > run.sh; chmod +x run.sh
git add .; git status --short; git commit -m first; git log --format='%H %an %s'; git ls-files -s; git fsck
echo more >> numbers; git diff; git diff --stat; git commit -am second; git mv src/main.c src/deep/moved.c; git rm -q run.sh; git status; git commit -qm third; git log --stat --follow src/deep/moved.c
git checkout -b topic; echo topic > topic; git add topic; git commit -qm topic; git checkout main; ls; sed -i 1s/1/one/ numbers; git commit -qam diverge; git merge topic -m merged; git log --graph --oneline
git checkout -qb conflict HEAD~2; sed -i 1s/1/uno/ numbers; git commit -qam conflict; git merge main; git status --short; git diff | head -20; git checkout --ours numbers; git add numbers; git commit -qm resolved; git checkout main
git tag v1; git tag -a v2 -m annotated; git branch -a; git branch -d topic; git stash list; echo wip > wip; git add wip; git stash; ls; git stash pop; git reset -q --hard; git clean -fdx; git rev-parse HEAD
git rebase -q conflict; git status; git reflog | wc -l; git cherry-pick v1 2>&1 | head -1; git cherry-pick --skip 2> /dev/null; git reset -q --hard v1; git blame numbers | head -2; git grep -n topic; git show --stat HEAD; git archive HEAD | tar -t
cd ..; git clone repo clone 2>&1; git clone --bare repo bare.git 2>&1; git clone "file://$D/repo" remote 2>&1; git clone --no-local --depth 1 "file://$D/repo" shallow 2>&1; git clone -l -s repo shared 2>&1; cd clone; git log --oneline | wc -l; git remote -v; git fsck
echo pushed > pushed; git add pushed; git commit -qm pushed; git remote add bare ../bare.git; git push bare main 2>&1; cd ../remote; git pull -q --no-rebase ../bare.git main; ls; git fetch 2>&1; git worktree add ../tree v1 2>&1; ls ../tree; git worktree list; git worktree remove ../tree
cd ../repo; git gc 2>&1; git count-objects -v; git repack -adq; git prune; git fsck --full; git verify-pack -v .git/objects/pack/*.idx | tail -3; git log --oneline | wc -l; git status; git update-index --refresh; git ls-files | wc -l; git bisect start HEAD v1~2 2>&1; git bisect reset 2>&1
git -c protocol.file.allow=always submodule add ../bare.git sub 2>&1 | sed 's/done.*//'; git sparse-checkout set src 2>&1; ls; git sparse-checkout disable; git log > log; git -C "$D/clone" log -1 --format=%s; cd /; git --git-dir="$D/repo/.git" --work-tree="$D/repo" status --short; git -C /nowhere status; echo $?
cd "$D"; git diff --no-index repo/numbers clone/numbers | head -3; git init --bare empty.git; git ls-remote bare.git; rm -rf shallow
for i in $(seq 300); do echo "file $i" > repo/f$i; done; cd repo; git add .; git commit -qm many; git gc -q; git checkout -q v1; ls | wc -l; git checkout -q main; ls | wc -l; git status --short
echo scenario complete
