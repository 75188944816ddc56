# Modules of Python's own test suite, $MODULES: the outcome of each single test.
mkdir tmp work; export TMPDIR=$D/tmp PYTHONPATH=; cd work
/usr/bin/python3 "$SCRIPTS/real/python_suite.py" $MODULES; cd ..; rm -rf work tmp; ls -A; echo scenario complete
