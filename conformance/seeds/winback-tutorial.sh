# The calls of the winback tutorial this product comes from (KaireonAI documentation, "Tutorial: Winback", sections 1 to
# 8), in order and as they stand there. Scenarios run each by its number; $BASE is the address of a fresh suite.

curl -X POST $BASE/api/v1/schemas -d '{
  "name": "Customer",
  "fields": [
    { "name": "lastPurchaseDate",   "type": "date" },
    { "name": "lifetimePurchases",  "type": "integer" },
    { "name": "lifetimeRevenue",    "type": "decimal" },
    { "name": "primaryCategory",    "type": "string" },
    { "name": "preferredChannel",   "type": "string" },
    { "name": "timezone",           "type": "string" },
    { "name": "consentEmail",       "type": "boolean" },
    { "name": "consentSMS",         "type": "boolean" }
  ]
}'

curl -X POST $BASE/api/v1/categories -d '{
  "name": "Apparel",
  "computedFields": [
    {
      "name": "daysSinceLastPurchase",
      "formula": "round((today() - customer.lastPurchaseDate) / 86400)",
      "outputType": "integer"
    },
    {
      "name": "isRecoverable",
      "formula": "lifetimePurchases >= 3 && lifetimeRevenue >= 50",
      "outputType": "boolean"
    }
  ]
}'

# Apparel-category lapsed customer
curl -X POST $BASE/api/v1/offers -d '{
  "name": "Apparel — 20% back",
  "category": "Apparel",
  "priority": 70,
  "businessValue": 30,
  "margin": 50,
  "qualificationRules": [
    { "field": "primaryCategory", "op": "==", "value": "apparel" },
    { "field": "daysSinceLastPurchase", "op": ">=", "value": 90 },
    { "field": "daysSinceLastPurchase", "op": "<=",  "value": 365 },
    { "field": "isRecoverable", "op": "==", "value": true }
  ]
}'

# Electronics — different lever, higher margin
curl -X POST $BASE/api/v1/offers -d '{
  "name": "Electronics — free shipping + 10% off",
  "category": "Electronics",
  "priority": 75,
  "businessValue": 60,
  "margin": 35,
  "qualificationRules": [
    { "field": "primaryCategory", "op": "==", "value": "electronics" },
    { "field": "daysSinceLastPurchase", "op": ">=", "value": 90 },
    { "field": "daysSinceLastPurchase", "op": "<=",  "value": 365 },
    { "field": "isRecoverable", "op": "==", "value": true }
  ]
}'

# Home & kitchen
curl -X POST $BASE/api/v1/offers -d '{
  "name": "Home — bundle 3, save 15%",
  "category": "Home",
  "priority": 70,
  "businessValue": 40,
  "margin": 45,
  "qualificationRules": [
    { "field": "primaryCategory", "op": "==", "value": "home" },
    { "field": "daysSinceLastPurchase", "op": ">=", "value": 90 },
    { "field": "daysSinceLastPurchase", "op": "<=",  "value": 365 },
    { "field": "isRecoverable", "op": "==", "value": true }
  ]
}'

curl -X POST $BASE/api/v1/channels -d '{
  "name": "email",
  "config": {
    "quietHoursStart": "21:00",
    "quietHoursEnd":   "08:00",
    "timezoneSource":  "customer.timezone"
  }
}'

curl -X POST $BASE/api/v1/channels -d '{
  "name": "sms",
  "config": {
    "quietHoursStart": "20:00",
    "quietHoursEnd":   "09:00",
    "timezoneSource":  "customer.timezone"
  }
}'

curl -X POST $BASE/api/v1/contact-policies -d '{
  "name": "Winback 3-touch cap, 30-day window",
  "scope": "category:Apparel,Electronics,Home",
  "ruleType": "frequency_cap",
  "windowDays": 30,
  "maxImpressions": 3
}'

curl -X POST $BASE/api/v1/decision-flows -d '{
  "name": "Winback",
  "config": {
    "nodes": [
      { "id": "inv",     "type": "inventory", "config": { "categories": ["Apparel","Electronics","Home"] } },
      { "id": "enr",     "type": "enrich",    "config": { "schema": "Customer" } },
      { "id": "compute", "type": "compute" },
      { "id": "qual",    "type": "qualify" },
      { "id": "cp",      "type": "contact_policy" },
      { "id": "score",   "type": "score",     "config": { "method": "propensity" } },
      { "id": "rank",    "type": "rank",      "config": {
          "profile": "winback",
          "weights": { "Wp": 0.30, "Wr": 0.20, "Wi": 0.20, "We": 0.05, "Wu": 0.25 }
      }},
      { "id": "out",     "type": "response" }
    ]
  }
}'

curl -X POST $BASE/api/v1/recommend -d '{
  "customerId": "cust_lapsed_1",
  "channel": "email",
  "flow": "Winback"
}'

curl -X POST $BASE/api/v1/experiments -d '{
  "name": "Winback Q4 holdout",
  "flowId": "flow_winback",
  "holdoutPercentage": 15,
  "primaryMetric": "revenue_per_customer",
  "duration": "90 days"
}'
