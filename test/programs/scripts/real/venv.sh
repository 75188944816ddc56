# A virtual environment in the tree, packages installed into it from wheels and from source, without network.
export HOME=$D PIP_NO_INDEX=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_COLOR=1; unset PYTHONDONTWRITEBYTECODE
/usr/bin/python3 -m venv v; echo "venv $?"; ls v v/bin | grep -v -i activate; readlink v/bin/python3; v/bin/python -c 'import sys, os; print(os.path.relpath(sys.prefix, os.environ["D"]), sys.prefix != sys.base_prefix)'
mkdir -p pkg/thing; echo 'def main(): print("thing runs")' > pkg/thing/__init__.py; echo data > pkg/thing/data.txt; cat > pkg/setup.py <<'X'
from setuptools import setup
setup(name="thing", version="1.0", packages=["thing"], package_data={"thing": ["data.txt"]}, entry_points={"console_scripts": ["thing = thing:main"]})
X
/usr/bin/python3 - <<'X'
import base64, hashlib, zipfile
files = {"wheeled.py": b"def main(): print('wheeled runs')\n", "wheeled-2.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: wheeled\nVersion: 2.0\n",
         "wheeled-2.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n", "wheeled-2.0.dist-info/entry_points.txt": b"[console_scripts]\nwheeled = wheeled:main\n"}
record = "".join(f"{n},sha256={base64.urlsafe_b64encode(hashlib.sha256(b).digest()).rstrip(b'=').decode()},{len(b)}\n" for n, b in files.items())
with zipfile.ZipFile("wheeled-2.0-py3-none-any.whl", "w") as z:
    for name, data in files.items(): z.writestr(name, data)
    z.writestr("wheeled-2.0.dist-info/RECORD", record + "wheeled-2.0.dist-info/RECORD,,\n")
X
v/bin/pip install -q ./wheeled-2.0-py3-none-any.whl; echo "wheel $?"; v/bin/wheeled; v/bin/pip install -q --no-build-isolation ./pkg > out 2>&1; echo "source $?"; v/bin/thing; v/bin/python -c 'import importlib.resources as r; print(r.files("thing").joinpath("data.txt").read_text())'; v/bin/pip list 2> /dev/null | grep -E 'thing|wheeled'; v/bin/pip show -f wheeled | tail -3; v/bin/pip check; v/bin/pip uninstall -qy wheeled; echo "gone $?"; v/bin/python -c 'import wheeled' 2>&1 | tail -1; (. v/bin/activate; command -v python | sed "s|$D|D|"; python -m zipapp -m thing:main -o app.pyz pkg; python app.pyz); /usr/bin/python3 -m venv --upgrade v; echo "upgrade $?"; find v -name '*.pyc' | wc -l | tr -d '[:digit:]'; rm -rf v pkg ./*.whl out app.pyz .cache .config; ls -A; echo scenario complete
