-- The cheapest durable commit that there is here: one row, no lock that anybody else wants.
INSERT INTO bench_commits DEFAULT VALUES;
