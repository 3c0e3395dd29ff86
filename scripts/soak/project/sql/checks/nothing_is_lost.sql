SELECT * FROM balance WHERE total <> 1000000
