//! Every statement of policy-svc runs where customers are spread over servers, and finds a
//! customer's rows by the customer.

testkit::statement_tests!(policy_svc::store);
