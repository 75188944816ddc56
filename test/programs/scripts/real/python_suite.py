"""Runs the modules of Python's test suite that are named, and prints every test with its outcome."""
import importlib
import os
import sys
import unittest

report = os.fdopen(os.dup(1), "w", buffering=1)
log = open(os.path.join(os.environ["HOST"], "log"), "w")
os.dup2(log.fileno(), 1)
os.dup2(log.fileno(), 2)


class Outcomes(unittest.TestResult):
    def say(self, test, outcome, detail=""):
        report.write(f"{test.id()}: {outcome}{detail}\n")

    def addSuccess(self, test):
        super().addSuccess(test)
        self.say(test, "ok")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.say(test, "skipped")

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.say(test, "failed")
        log.write(self.failures[-1][1])

    def addError(self, test, error):
        super().addError(test, error)
        self.say(test, "error")
        log.write(self.errors[-1][1])

    def addExpectedFailure(self, test, error):
        super().addExpectedFailure(test, error)
        self.say(test, "expected failure")

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error is not None:
            self.say(test, "sub-test failed")


for name in sys.argv[1:]:
    os.mkdir(name)
    os.chdir(name)
    suite = unittest.defaultTestLoader.loadTestsFromModule(importlib.import_module("test." + name))
    result = suite.run(Outcomes())
    os.chdir("..")
    report.write(f"{name}: {result.testsRun} tests, {os.listdir(name)} left behind\n")
