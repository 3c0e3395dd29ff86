  /* barncat tyre = 1
   tier = 2
   é = "
*/ select 1 /* barncat x */