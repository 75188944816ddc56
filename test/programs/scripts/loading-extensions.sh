# Native extensions of interpreters, built in the tree and loaded from there.
cat > ext.c <<'END'
#include <Python.h>
static PyObject *answer(PyObject *self, PyObject *args) { return PyLong_FromLong(42); }
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, ""}, {0}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "ext", "", -1, methods};
PyMODINIT_FUNC PyInit_ext(void) { return PyModule_Create(&module); }
END
if /usr/bin/python3-config --includes > /dev/null 2>&1; then
  gcc -shared -fPIC $(/usr/bin/python3-config --includes) -o ext.so ext.c
  /usr/bin/python3 -c 'import ext; print(ext.answer(), ext.__file__)'
  mkdir package; cp ext.so package; (cd package; PYTHONPATH=$D/package /usr/bin/python3 -c 'import ext; print(ext.answer(), ext.__file__)')
fi
echo 'int f(void) { return 7; }' > f.c; gcc -shared -fPIC -o f.so f.c
python3 -c 'import ctypes, sys; print(ctypes.CDLL(sys.argv[1]).f(), ctypes.CDLL("./f.so").f())' "$D/f.so"
headers=$(dirname "$(dirname "$NODE")")/include/node
[ -e "$headers/node_api.h" ] || headers=/usr/include/node
if [ -e "$headers/node_api.h" ]; then
  cat > addon.c <<'END'
#include <node_api.h>
static napi_value init(napi_env env, napi_value exports) {
  napi_value number;
  napi_create_int32(env, 42, &number);
  napi_set_named_property(env, exports, "answer", number);
  return exports;
}
NAPI_MODULE(addon, init)
END
  gcc -shared -fPIC "-I$headers" -o addon.node addon.c
  "$NODE" -e 'console.log(require("./addon.node").answer, require.resolve("./addon.node"))'
  "$NODE" -e 'new (require("worker_threads").Worker)("console.log(require(process.cwd() + `/addon.node`).answer)", { eval: true })'
fi
core=$(perl -MConfig -e 'print "$Config{archlibexp}/CORE"')
if [ -e "$core/perl.h" ] && perl -MExtUtils::ParseXS -e 1 2> /dev/null; then
  mkdir -p Answer; cat > Answer.xs <<'END'
#include "EXTERN.h"
#include "perl.h"
#include "XSUB.h"
MODULE = Answer PACKAGE = Answer
int
answer()
  CODE:
    RETVAL = 42;
  OUTPUT:
    RETVAL
END
  printf 'package Answer; our $VERSION = 1; require XSLoader; XSLoader::load(); 1;\n' > Answer.pm
  perl "$(perl -MExtUtils::ParseXS -e 'print $INC{"ExtUtils/ParseXS.pm"} =~ s/ParseXS.pm//r')xsubpp" -noprototypes -typemap "$(perl -MConfig -e 'print $Config{privlibexp}')/ExtUtils/typemap" Answer.xs > Answer.c
  mkdir -p auto/Answer
  gcc -shared -fPIC $(perl -MConfig -e 'print $Config{ccflags}') -DXS_VERSION='"1"' -DVERSION='"1"' "-I$core" -o auto/Answer/Answer.so Answer.c
  perl -I. -MAnswer -e 'print Answer::answer(), " $INC{q(Answer.pm)}\n"'
fi
echo scenario complete
