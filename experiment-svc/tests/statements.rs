//! Every statement of experiment-svc runs where customers are spread over servers, and finds a
//! customer's rows by the customer.

testkit::statement_tests!(experiment_svc::store);
