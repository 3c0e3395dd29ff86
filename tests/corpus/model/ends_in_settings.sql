/* barncat
tags = ["*/"]
*/select 1