# The calls of the outcome types reference this product comes from (KaireonAI documentation, "Outcome Types", API
# Reference), in order. The document shows them as method, path, content type and body; the bodies stand as they are.

curl -X GET $BASE/api/v1/outcome-types

curl -X POST $BASE/api/v1/outcome-types -H 'Content-Type: application/json' -d '{
  "key": "quote_requested",
  "name": "Quote Requested",
  "description": "Customer requested a price quote for the offered product",
  "classification": "positive",
  "category": "response"
}'

curl -X DELETE $BASE/api/v1/outcome-types/quote_requested
