-- The restaurants of five cities that have no place yet, or another address by now.
select r.id as restaurant_id, r.address
from raw_shop.restaurants r
left join raw_places.restaurant_places p on p.restaurant_id = r.id and p.address = r.address
where r.city_id <= 5 and p.restaurant_id is null
order by r.id
limit 100
