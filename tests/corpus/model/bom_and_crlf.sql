
/* barncat
tier = "critical"
*/
select 1 from t
