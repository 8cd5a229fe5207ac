"""Checks an implementation of the assignment of experiments against assignment.csv.

Run `python3 check.py` beside the file. It fails with the first row that differs.
"""

import csv
import hashlib
import pathlib


def is_held_out(salt: str, customer_id: str, holdout_basis_points: int) -> bool:
    """True when the experiment holds the customer out."""
    digest = hashlib.sha256(salt.encode() + b"\0" + customer_id.encode()).digest()
    head = int.from_bytes(digest[:8], "big")
    return head * 10_000 < holdout_basis_points << 64


def main() -> None:
    rows = 0
    with open(pathlib.Path(__file__).parent / "assignment.csv", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found = is_held_out(row["salt"], row["customer_id"], int(row["holdout_basis_points"]))
            assert found == (row["held_out"] == "true"), row
            rows += 1
    print(f"{rows} vectors hold")


if __name__ == "__main__":
    main()
