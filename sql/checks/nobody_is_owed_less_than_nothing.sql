/* barncat
description = "Tips are added, never taken"
*/
select rider_id, day, owed from rider_payments where owed < 0
