//! Every statement of catalog-svc runs where customers are spread over servers, and finds a
//! customer's rows by the customer.

testkit::statement_tests!(catalog_svc::store);
