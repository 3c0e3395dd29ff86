-- The restaurants that have no place yet, or another address by now: a round asks about forty of them. Not more than the oldest two
-- hundred, so that the demo takes seconds; however little data it has, they are more than one round.
select r.id as restaurant_id, r.address
from raw_shop.restaurants r
left join raw_places.restaurant_places p on p.restaurant_id = r.id and p.address = r.address
where r.id <= 200 and p.restaurant_id is null
order by r.id
limit 40
