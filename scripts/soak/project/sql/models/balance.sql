SELECT count(*) AS accounts, sum(amount) AS total FROM accounts
