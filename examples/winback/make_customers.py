"""Makes customers.csv from the public Online Retail data: one line per customer, ordered by customer id.

    pip install pyarrow
    python make_customers.py online_retail.parquet customers.csv

The input is data/online_retail.parquet of the public repository BenJMcCarty/UCI_Dataset_Online_Retail; README.md
beside this file tells where it comes from and under which terms. That copy has lost the invoice numbers, so lines of
one customer in the same minute are taken for one invoice, and purchases and returns are kept apart.
"""

import csv
import sys
from decimal import Decimal

import pyarrow.parquet

CENT = Decimal("0.01")
COLUMNS = ["CustomerID", "InvoiceDate", "Quantity", "UnitPrice", "Country"]
HEADER = ["customer_id", "last_purchase", "purchases", "revenue", "country"]


def read_invoices(path):
    """Sums the lines to invoices: {customer: {(minute, country, is it a return): amount}}."""
    customers = {}
    for line in pyarrow.parquet.read_table(path, columns=COLUMNS).to_pylist():
        if line["CustomerID"] is None:
            continue
        invoices = customers.setdefault(str(int(line["CustomerID"])), {})
        key = (line["InvoiceDate"], line["Country"], line["Quantity"] < 0)
        # A price is a double in the file; its shortest spelling is the price the shop wrote.
        invoices[key] = invoices.get(key, Decimal(0)) + line["Quantity"] * Decimal(repr(line["UnitPrice"]))
    return customers


def summary(customer_id, invoices):
    """Last purchase, number of purchases, revenue less returns, country of the latest invoice."""
    # A purchase costs something: the few invoices of nothing but free goods are none.
    bought = [minute for (minute, _, is_return), amount in invoices.items() if not is_return and amount > 0]
    last_purchase = max(bought).date().isoformat() if bought else ""
    revenue = sum(amount.quantize(CENT) for amount in invoices.values())
    _, country, _ = max(invoices)
    return [customer_id, last_purchase, len(bought), revenue, country]


def main():
    source, target = sys.argv[1:]
    with open(target, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        for customer_id, invoices in sorted(read_invoices(source).items()):
            writer.writerow(summary(customer_id, invoices))


if __name__ == "__main__":
    main()
