-- Raw files of one run -> clean tables, as files that the next tasks read.
-- :folder is bound by the engine to the folder of this run.

CREATE OR REPLACE TABLE clean_orders AS
SELECT DISTINCT ON (order_id)
  order_id,
  customer_id,
  CAST(ordered_at AS DATE) AS ordered_at,
  CAST(amount AS DECIMAL(10, 2)) AS amount
FROM read_csv(:folder || '/orders.csv', header = true)
WHERE status = 'paid' AND amount > 0
ORDER BY order_id;

CREATE OR REPLACE TABLE sessions AS
SELECT
  customer_id,
  count(DISTINCT session_id) AS sessions,
  count(*) FILTER (WHERE page = 'product') AS product_views,
  count(*) FILTER (WHERE page = 'cart') AS carts,
  round(avg(seconds), 1) AS mean_seconds
FROM read_csv(:folder || '/clickstream.csv', header = true)
WHERE seconds BETWEEN 1 AND 1800
GROUP BY customer_id
ORDER BY customer_id;

COPY (SELECT * FROM clean_orders ORDER BY order_id) TO (:folder || '/clean_orders.csv') (HEADER, DELIMITER ',');
COPY (SELECT * FROM sessions ORDER BY customer_id) TO (:folder || '/sessions.csv') (HEADER, DELIMITER ',');

-- The last result is the output of the task: later tasks may refer to its first row and its columns.
SELECT
  (SELECT count(*) FROM clean_orders) AS orders,
  (SELECT count(*) FROM sessions) AS customers,
  (SELECT sum(amount) FROM clean_orders) AS revenue;
