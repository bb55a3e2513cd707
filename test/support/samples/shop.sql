-- A shop, in the style of Northwind as its ports have it: names in "CamelCase" and with spaces, natural keys, pictures.
CREATE TABLE "Categories" (
  "CategoryID" smallint PRIMARY KEY,
  "CategoryName" character varying(15) NOT NULL,
  "Description" text,
  "Picture" bytea
);
CREATE TABLE "Customers" (
  "CustomerID" character(5) PRIMARY KEY,
  "CompanyName" character varying(40) NOT NULL,
  "Phone" character varying(24)
);
CREATE TABLE "Products" (
  "ProductID" smallint PRIMARY KEY,
  "ProductName" character varying(40) NOT NULL,
  "CategoryID" smallint REFERENCES "Categories",
  "UnitPrice" real,
  "Discontinued" boolean NOT NULL
);
CREATE TABLE "Orders" (
  "OrderID" smallint PRIMARY KEY,
  "CustomerID" character(5) REFERENCES "Customers",
  "OrderDate" date,
  "Freight" money,
  "Ship Address" text
);
CREATE TABLE "Order Details" (
  "OrderID" smallint NOT NULL REFERENCES "Orders" ON DELETE CASCADE,
  "ProductID" smallint NOT NULL REFERENCES "Products",
  "Unit.Price" real NOT NULL,
  "Discount %" real NOT NULL,
  PRIMARY KEY ("OrderID", "ProductID")
);
-- Another table, whose name in lower case is the first one's.
CREATE TABLE order_details (id int PRIMARY KEY, remark text);

-- Without a primary key: nothing unique; something unique; something unique that may be null.
CREATE TABLE "Visits" ("At" timestamptz, "Page" text);
CREATE TABLE "US States" ("StateID" smallint NOT NULL UNIQUE, "Abbr" character varying(2));
CREATE TABLE "Vouchers" ("Code" text UNIQUE, "Value" numeric);

-- Columns that Elasticsearch refuses under their names.
CREATE TABLE "Imported" (_id text PRIMARY KEY, _source text, "Size" text, "Size.Width" int);

INSERT INTO "Categories" VALUES (1, 'Beverages', 'Teas, ales', '\x151c2f00'), (2, 'Pots', NULL, NULL);
INSERT INTO "Customers" VALUES ('ALFKI', 'Alfreds', '030'), ('AB', 'Shorter than its key', NULL);
INSERT INTO "Products" VALUES (1, 'Chai', 1, 18.1, false), (2, 'Kettle', 2, 24.5, true), (3, 'Mug', NULL, NULL, false);
INSERT INTO "Orders" VALUES (10248, 'ALFKI', '1996-07-04', 32.38, 'Obere Str. 57'), (10249, 'AB', NULL, NULL, NULL);
INSERT INTO "Order Details" VALUES (10248, 1, 14, 0), (10248, 2, 9.8, 0.05), (10249, 3, 1, 0);
INSERT INTO order_details VALUES (1, 'gift'), (2, NULL);
INSERT INTO "Visits" VALUES (now(), '/');
INSERT INTO "US States" VALUES (1, 'AL'), (2, 'AK');
INSERT INTO "Vouchers" VALUES ('X', 5), (NULL, 1), (NULL, 1);
INSERT INTO "Imported" VALUES ('5f1', 'ftp', 'L', 40), ('5f2', NULL, NULL, NULL);
