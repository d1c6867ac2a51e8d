"""Lists orders and a catalog item with Amazon's own SDK, configured with nothing but our addresses.

The development CA has to be in the bundle of this environment's `certifi` already: the SDK trusts no other, and reads it
when it is imported. Reads the ready file of `leasehold dev` (first argument) and prints one JSON object of what the worker got.
"""

import json
import sys

from spapi import SPAPIClient, SPAPIConfig
from spapi.api.catalogitems_v2022_04_01.catalog_api import CatalogApi
from spapi.api.orders_v0.orders_v0_api import OrdersV0Api

MARKETPLACE_UK = "A1F83G8C2ARO7P"


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        ready = json.load(file)
    worker = ready["worker"]
    config = SPAPIConfig(
        client_id=worker["client_id"],
        client_secret=worker["client_secret"],
        refresh_token=f"{ready['connection']}.{worker['id']}",
        region="EU",
        scope=None,
    )
    client = SPAPIClient(config, oauth_endpoint=ready["api"] + "/auth/o2/token", endpoint=ready["gateway"])
    orders = OrdersV0Api(client.api_client).get_orders(
        marketplace_ids=[MARKETPLACE_UK], created_after="2020-01-01T00:00:00Z"
    )
    order_ids = [order.amazon_order_id for order in orders.payload.orders]
    found = CatalogApi(client.api_client).search_catalog_items(marketplace_ids=[MARKETPLACE_UK], keywords=["a"])
    asin = found.items[0].asin
    item = CatalogApi(client.api_client).get_catalog_item(asin=asin, marketplace_ids=[MARKETPLACE_UK])
    print(json.dumps({"orders": order_ids, "asin": item.asin}))


main()
