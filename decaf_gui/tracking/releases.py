"""The released SAM2 models on the hub. Imports nothing, so that the model registry can list them at once."""

SIZES_MB = {"tiny": 156, "small": 184, "base-plus": 324, "large": 898}
"""Released sizes, and what their weights take in MB."""
VERSIONS = ("sam2", "sam2.1")
HUB_FILES = {
    f"facebook/{version}-hiera-{size}": f"{version}_hiera_{size.replace('-', '_')}.pt"
    for version in VERSIONS
    for size in SIZES_MB
}
"""The file of the weights in every repository."""
